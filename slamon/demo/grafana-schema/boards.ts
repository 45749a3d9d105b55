// What a dashboard of slamon may be, in the types that Grafana publishes for its release; `kinds` are those of its panels.
// Made into a JSON Schema, in which nothing is allowed that the types do not name.

import { Dashboard, Panel, RowPanel } from "@grafana/schema/dist/types/raw/dashboard/x/dashboard_types.gen";
import * as BarGauge from "@grafana/schema/dist/types/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen";
import * as Stat from "@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import * as StateTimeline from "@grafana/schema/dist/types/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import * as Table from "@grafana/schema/dist/types/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import * as TimeSeries from "@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

type FieldConfig = NonNullable<Panel["fieldConfig"]>;

type Kind<Name extends string, Options, Custom> = Omit<Panel, "type" | "options" | "fieldConfig"> & {
  type: Name;
  options: Partial<Options>;
  fieldConfig: Omit<FieldConfig, "defaults"> & {
    defaults: Omit<FieldConfig["defaults"], "custom"> & { custom?: Partial<Custom> };
  };
};

export interface Boards {
  board: Omit<Dashboard, "panels"> & { panels: unknown[] };
  kinds: {
    row: RowPanel;
    stat: Kind<"stat", Stat.Options, {}>;
    bargauge: Kind<"bargauge", BarGauge.Options, {}>;
    timeseries: Kind<"timeseries", TimeSeries.Options, TimeSeries.FieldConfig>;
    table: Kind<"table", Table.Options, Table.FieldConfig>;
    "state-timeline": Kind<"state-timeline", StateTimeline.Options, StateTimeline.FieldConfig>;
  };
}
