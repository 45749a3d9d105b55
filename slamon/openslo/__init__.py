"""OpenSLO v1 files as the skeleton of an agreement, and what could not be carried over."""

from slamon.openslo.documents import read_files
from slamon.openslo.skeleton import Skeleton, skeleton_of

__all__ = ["Skeleton", "read_files", "skeleton_of"]
