"""The kinds of panel slamon's dashboards have: none without a unit, a description, and words for when it is empty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    DataSourceRef,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TimelineValueAlignment,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    Panel,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="${datasource}")

# Colours of value and up; the first is what holds below all others.
Steps = Sequence[tuple[float | None, str]]
PLAIN: Steps = ((None, "text"),)
NONE_IS_GOOD: Steps = ((None, "green"), (1, "red"))

UNITS = {
    "number": "none",  # whole and in full: 12345, not 12.3 K
    "money": "locale",  # in full, with separators; the currency stands beside it
    "share": "percentunit",
    "seconds": "s",
    "bytes": "bytes",
    "a second": "suffix: /s",
    "cores": "suffix: cores",
    "left": "dtdhms",  # exact, as days and hh:mm:ss
    "instant": "dateTimeAsSystem",  # milliseconds since the epoch, shown in the dashboard's zone
    "times": "suffix: ×",
}

# 99.95 % is not 100 %, whatever room there is.
DECIMALS = {"share": 4, "money": 2}

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Words:
    """What a panel says: `empty` stands where there is no value, and must hold for every reason of that."""

    title: str
    description: str
    empty: str


@dataclass(frozen=True, slots=True)
class Query:
    """`legend` names a series by its labels."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: the values of a label, or those of a query; `to` is the board that a click opens.

    The board opens for the customer and the agreement of the row, at the time shown.
    """

    title: str
    label: str = ""
    expr: str = ""
    unit: str = "number"
    steps: Steps = PLAIN
    to: str = ""


# What a number means in words, and the colour of the words.
Texts = Mapping[int, tuple[str, str]]


def numbers(
    words: Words,
    unit: str,
    queries: Sequence[Query],
    *,
    width: int,
    height: int = 4,
    steps: Steps,
    colours: Mapping[str, Steps] | None = None,
    texts: Texts | None = None,
) -> Builder[Panel]:
    """One big number per series, or what it means, as of now; `colours` are the steps of single series, by legend."""
    panel = (
        stat.Panel()
        .title(words.title)
        .description(words.description)
        .no_value(words.empty)
        .unit(UNITS[unit])
        .datasource(PROMETHEUS)
        .thresholds(_thresholds(steps))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.VALUE)
        .text_mode(
            BigValueTextMode.VALUE_AND_NAME
            if any(query.legend for query in queries)
            else BigValueTextMode.VALUE
        )
        .orientation(VizOrientation.VERTICAL)
        .height(height)
        .span(width)
    )
    if texts:
        panel.mappings([_in_words(texts)])
    if unit in DECIMALS:
        panel.decimals(DECIMALS[unit])
    for ref, query in zip(LETTERS, queries, strict=False):
        panel.with_target(_instant(ref, query.expr).legend_format(query.legend))
    for legend, own in (colours or {}).items():
        panel.override_by_name(legend, [_steps_override(own)])
    return panel


def bars(words: Words, unit: str, query: Query, *, width: int, height: int, steps: Steps) -> Builder[Panel]:
    """A bar per series, as of now, from 0 to 1."""
    return (
        bargauge.Panel()
        .title(words.title)
        .description(words.description)
        .no_value(words.empty)
        .unit(UNITS[unit])
        .datasource(PROMETHEUS)
        .min(0)
        .max(1)
        .thresholds(_thresholds(steps))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .display_mode(BarGaugeDisplayMode.BASIC)
        .orientation(VizOrientation.HORIZONTAL)
        .with_target(_instant("A", query.expr).legend_format(query.legend))
        .height(height)
        .span(width)
    )


def lines(
    words: Words,
    unit: str,
    *queries: Query,
    width: int,
    height: int,
    steps: Steps = PLAIN,
    stacked: bool = False,
    signed: bool = False,
) -> Builder[Panel]:
    """A line per series over the dashboard's time, from 0 unless `signed`; the steps are drawn as lines too."""
    panel = (
        timeseries.Panel()
        .title(words.title)
        .description(words.description)
        .no_value(words.empty)
        .unit(UNITS[unit])
        .datasource(PROMETHEUS)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .height(height)
        .span(width)
    )
    for ref, query in zip(LETTERS, queries, strict=False):
        panel.with_target(
            prometheus.Dataquery().ref_id(ref).expr(query.expr).range().legend_format(query.legend)
        )
    if not signed:
        panel.min(0)
    if stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL)).fill_opacity(40)
    if steps != PLAIN:
        panel.thresholds(_thresholds(steps))
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
    return panel


def timeline(words: Words, query: Query, texts: Texts, *, width: int, height: int) -> Builder[Panel]:
    """A band per series over the dashboard's time, which says in words what its numbers mean."""
    return (
        statetimeline.Panel()
        .title(words.title)
        .description(words.description)
        .no_value(words.empty)
        .unit(UNITS["number"])
        .datasource(PROMETHEUS)
        .mappings([_in_words(texts)])
        .thresholds(_thresholds(PLAIN))
        .show_value(VisibilityMode.AUTO)
        .align_value(TimelineValueAlignment.LEFT)
        .merge_values(True)
        .row_height(0.9)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .with_target(prometheus.Dataquery().ref_id("A").expr(query.expr).range().legend_format(query.legend))
        .height(height)
        .span(width)
    )


def rows(
    words: Words,
    columns: Sequence[Column],
    *,
    sort: str,
    then: str = "",
    descending: bool = False,
    width: int = 24,
    height: int,
    of: str = "",
) -> Builder[Panel]:
    """A table, sorted by the column titled `sort`, and where that is equal upwards by `then`.

    Grafana takes an empty cell for less than any other: upwards it comes first.

    A row for each set of labels that the columns' queries share; `of` is one more query that gives labels only.
    """
    panel = (
        table.Panel()
        .title(words.title)
        .description(words.description)
        .no_value(words.empty)
        .unit(UNITS["number"])
        .datasource(PROMETHEUS)
        .thresholds(_thresholds(PLAIN))
        .filterable(True)
        .sort_by(
            [
                common.TableSortByFieldState().display_name(title).desc(descending and title == sort)
                for title in (sort, then)
                if title
            ]
        )
        .height(height)
        .span(width)
    )
    exprs = [of] * bool(of) + [column.expr for column in columns if column.expr]
    # Grafana joins the answers on the labels that all of them have, and calls the values by the query's letter.
    fields = {
        expr: f"Value #{ref}" if len(exprs) > 1 else "Value"
        for ref, expr in zip(LETTERS, exprs, strict=False)
    }
    for ref, expr in zip(LETTERS, exprs, strict=False):
        panel.with_target(_instant(ref, expr).format(PromQueryFormat.TABLE))
    for column in columns:
        # An empty cell is not an empty table: what does not apply to a row has a dash.
        override = [DynamicConfigValue("noValue", "–")]
        if column.expr:
            override.append(DynamicConfigValue("unit", UNITS[column.unit]))
        if column.unit in DECIMALS:
            override.append(DynamicConfigValue("decimals", DECIMALS[column.unit]))
        if column.steps != PLAIN:
            override += [
                _steps_override(column.steps),
                DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
            ]
        if column.to:
            link = {"title": f"Open {column.to}", "url": _row_url(column.to, columns)}
            override.append(DynamicConfigValue("links", [link]))
        panel.override_by_name(column.title, override)
    panel.with_transformation(DataTransformerConfig("merge", options={}))
    names = {column: fields[column.expr] if column.expr else column.label for column in columns}
    return panel.with_transformation(
        DataTransformerConfig(
            "organize",
            options={
                "excludeByName": {"Time": True} | ({fields[of]: True} if of else {}),
                "indexByName": {name: place for place, name in enumerate(names.values())},
                "renameByName": {name: column.title for column, name in names.items()},
            },
        )
    )


def _row_url(board: str, columns: Sequence[Column]) -> str:
    chosen = [
        f"var-{column.label}=${{__data.fields.{column.title}}}"
        for column in columns
        if column.label in ("customer", "agreement")
    ]
    return f"/d/{board}?" + "&".join(
        ["var-datasource=${datasource}", "${namespace:queryparam}", *chosen, "${__url_time_range}"]
    )


def _in_words(texts: Texts) -> ValueMap:
    return ValueMap(
        {str(number): ValueMappingResult(text, colour) for number, (text, colour) in texts.items()}
    )


def _instant(ref: str, expr: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().ref_id(ref).expr(expr).instant()


def _thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    return (
        dashboard.ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=value, color=colour) for value, colour in steps])
    )


def _steps_override(steps: Steps) -> DynamicConfigValue:
    return DynamicConfigValue("thresholds", _thresholds(steps).build())
