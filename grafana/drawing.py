"""How panels look: builders of Grafana's SDK with the defaults of this dashboard, to be refined by each panel."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

from grafana.sdk import Builder, PromQueryFormat, bargauge, common, dashboard, model, prometheus, shapes, stat, table, timeseries

DATASOURCE = shapes.DataSourceRef(type_val="prometheus", uid="${datasource}")
RUNBOOKS = "https://github.com/gitjob-cleaner/gitjob-cleaner/blob/main/docs/runbooks/"

FINE, NOTE, WARN, BAD = "green", "blue", "orange", "red"
WHOLE, HALF, THIRD, QUARTER, FIFTH, SIXTH = 24, 12, 8, 6, 5, 4
LOW, HIGH = 4, 9
AN_HOUR = 3_600_000
"""In milliseconds: over so long a gap a line is drawn, where there is nothing to measure in between."""

Panels = list[Builder[model.Panel]]
_COUNTS = {"short", "suffix:/h"}
P = TypeVar("P", stat.Panel, timeseries.Panel, bargauge.Panel, table.Panel)


class Ask(NamedTuple):
    """One query of a panel, and what its series are called."""

    expr: str
    legend: str


def steps(first: str, *more: tuple[float, str]) -> dashboard.ThresholdsConfig:
    """Colours by value: the first one, and from which value on another."""
    told = [model.Threshold(None, first), *(model.Threshold(value, colour) for value, colour in more)]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(told)


PLAIN = steps("text")
ANY_IS_BAD = steps(FINE, (1, BAD))
ANY_IS_ODD = steps(FINE, (1, WARN))


def words(texts: Mapping[int, tuple[str, str]]) -> list[model.ValueMapping]:
    """Words and colours instead of numbers."""
    told = {str(value): model.ValueMappingResult(text, colour, index=value) for value, (text, colour) in texts.items()}
    return [model.ValueMap(told)]


def runbooks(*alerts: str) -> list[Builder[model.DashboardLink]]:
    """Links to the pages of these alerts."""
    return [
        dashboard.DashboardLink(alert).type(model.DashboardLinkType.LINK).url(f"{RUNBOOKS}{alert}.md").target_blank(True)
        for alert in (f"GitJobCleaner{name}" for name in alerts)
    ]


def number(title: str, text: str, unit: str, *asks: Ask) -> stat.Panel:
    """One number for each series, the last one."""
    return (
        _targeted(stat.Panel(), asks)
        .title(title)
        .description(text)
        .unit(unit)
        .height(LOW)
        .span(QUARTER)
        .thresholds(PLAIN)
        .no_value("none")
        .reduce_options(_last())
        .graph_mode(shapes.BigValueGraphMode.NONE)
        .color_mode(shapes.BigValueColorMode.VALUE)
        .text_mode(shapes.BigValueTextMode.AUTO)
    )


def over_time(title: str, text: str, unit: str, *asks: Ask) -> timeseries.Panel:
    """Lines over time; the axis of what is counted reaches to one at least, so that nothing looks like nothing."""
    panel = (
        _targeted(timeseries.Panel(), asks)
        .title(title)
        .description(text)
        .unit(unit)
        .height(HIGH)
        .span(THIRD)
        .min(0)
        .thresholds(PLAIN)
        .no_value("none")
        .line_width(1)
        .fill_opacity(10)
        .show_points(shapes.VisibilityMode.AUTO)
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING))
        .legend(legend("lastNotNull", "max"))
    )
    return panel.axis_soft_max(1) if unit in _COUNTS else panel


def stacked(title: str, text: str, unit: str, *asks: Ask) -> timeseries.Panel:
    """Areas on top of each other."""
    normal = common.StackingConfig().mode(shapes.StackingMode.NORMAL).group("A")
    return over_time(title, text, unit, *asks).stacking(normal).fill_opacity(60)


def ranked(title: str, text: str, unit: str, *asks: Ask) -> bargauge.Panel:
    """A bar for each series, the longest first."""
    return (
        _targeted(bargauge.Panel(), asks, instant=True)
        .title(title)
        .description(text)
        .unit(unit)
        .height(HIGH)
        .span(THIRD)
        .min(0)
        .thresholds(PLAIN)
        .no_value("none")
        .reduce_options(_last())
        .orientation(shapes.VizOrientation.HORIZONTAL)
        .display_mode(shapes.BarGaugeDisplayMode.BASIC)
        .value_mode(shapes.BarGaugeValueMode.TEXT)
    )


class Column(NamedTuple):
    """A column of a table, what fills it, and the unit."""

    name: str
    expr: str
    unit: str = "short"


def joined(title: str, text: str, keys: Mapping[str, str], columns: Sequence[Column]) -> table.Panel:
    """A table with a row for each set of labels `keys`, which are given with their headings."""
    panel = (
        _targeted(table.Panel(), [Ask(column.expr, "") for column in columns], instant=True, tabular=True)
        .title(title)
        .description(text)
        .unit("short")
        .height(HIGH + 2)
        .span(WHOLE)
        .thresholds(PLAIN)
        .no_value("")
        .min_width(90)
        .with_transformation(model.DataTransformerConfig("merge", options={}))
    )
    values = [f"Value #{_ref(n)}" for n in range(len(columns))] if len(columns) > 1 else ["Value"]
    order = {name: n for n, name in enumerate([*keys, *values])}
    names = {**keys, **dict(zip(values, (column.name for column in columns), strict=True))}
    arranged = {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": names}
    for column in columns:
        panel = panel.override_by_name(column.name, [model.DynamicConfigValue("unit", column.unit)])
    return panel.with_transformation(model.DataTransformerConfig("organize", options=arranged))


def legend(*calcs: str, right: bool = False) -> common.VizLegendOptions:
    """A legend as a table, so that long names never run into each other."""
    place = shapes.LegendPlacement.RIGHT if right else shapes.LegendPlacement.BOTTOM
    return (
        common.VizLegendOptions()
        .display_mode(shapes.LegendDisplayMode.TABLE)
        .placement(place)
        .show_legend(True)
        .calcs([*calcs])
        .sort_by("Last *")
        .sort_desc(True)
    )


def colours(panel: timeseries.Panel, by_name: Mapping[str, str]) -> timeseries.Panel:
    """Always the same colour for a series of this name."""
    for name, colour in by_name.items():
        panel = panel.override_by_name(name, [model.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})])
    return panel


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def _targeted(panel: P, asks: Sequence[Ask], *, instant: bool = False, tabular: bool = False) -> P:
    panel.datasource(DATASOURCE)
    for n, ask in enumerate(asks):
        query = prometheus.Dataquery().datasource(DATASOURCE).ref_id(_ref(n)).expr(ask.expr).legend_format(ask.legend)
        query = query.instant() if instant else query.range()
        panel.with_target(query.format(PromQueryFormat.TABLE if tabular else PromQueryFormat.TIME_SERIES))
    return panel


def _ref(n: int) -> str:
    return chr(ord("A") + n)
