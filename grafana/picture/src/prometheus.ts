/** Queries to a Prometheus, answered with the data frames that Grafana's own data source makes of them. */

import { type DataFrame, FieldType, type Field, type Labels, rangeUtil, type TimeRange } from "@grafana/data";

import type { Panel, Target, Variable } from "./dashboard.ts";
import { replace, type Values } from "./variables.ts";

interface Series {
  metric: Labels;
  value?: [number, string];
  values?: [number, string][];
}

/** What a query needs to know besides its text. */
export interface Asking {
  range: TimeRange;
  /** How often Prometheus scrapes, in seconds. */
  scrapeInterval: number;
  values: Values;
  variables: Variable[];
}

const LEGEND_LABEL = /\{\{\s*(.+?)\s*\}\}/g;
const AUTOMATIC = "__auto";

/** The frames of all queries of a panel of that width in pixels. */
export async function frames(panel: Panel, asking: Asking, width: number): Promise<DataFrame[]> {
  const targets = (panel.targets ?? []).filter((target) => !target.hide);
  const step = stepOf(panel, asking, width);
  const tables = targets.filter((target) => target.format === "table").length;
  const answers = targets.map(async (target) => {
    const series = await ask(target, asking, step);
    if (target.format === "table") return [table(target, series, tables > 1)];
    return series.map((one) => timeSeries(target, one, step));
  });
  return (await Promise.all(answers)).flat();
}

/** Whether there is anything to draw. */
export function empty(found: DataFrame[]): boolean {
  return found.every((frame) => frame.length === 0);
}

/** Seconds between two points: as many as the panel is wide, no more often than is scraped. */
function stepOf(panel: Panel, asking: Asking, width: number): number {
  const points = panel.maxDataPoints || Math.max(width, 100);
  const lowest = panel.interval || `${asking.scrapeInterval}s`;
  const { intervalMs } = rangeUtil.calculateInterval(asking.range, points, lowest);
  return Math.max(intervalMs / 1000, asking.scrapeInterval);
}

function builtIn({ range, scrapeInterval }: Asking, step: number): Values {
  const milliseconds = range.to.valueOf() - range.from.valueOf();
  const seconds = Math.max(1, Math.round(milliseconds / 1000));
  return {
    __interval: `${step}s`,
    __interval_ms: `${step * 1000}`,
    __rate_interval: `${Math.max(step + scrapeInterval, 4 * scrapeInterval)}s`,
    __range: `${seconds}s`,
    __range_s: `${seconds}`,
    __range_ms: `${milliseconds}`,
    __from: `${range.from.valueOf()}`,
    __to: `${range.to.valueOf()}`,
  };
}

async function ask(target: Target, asking: Asking, step: number): Promise<Series[]> {
  const values = { ...asking.values, ...builtIn(asking, step) };
  const query = replace(target.expr, values, asking.variables);
  const aligned = (moment: number) => `${Math.floor(moment / 1000 / step) * step}`;
  const { from, to } = asking.range;
  const path = target.instant ? "query" : "query_range";
  const times: Record<string, string> = target.instant
    ? { time: `${to.valueOf() / 1000}` }
    : { start: aligned(from.valueOf()), end: aligned(to.valueOf()), step: `${step}` };
  const answer = await fetch(`prometheus/api/v1/${path}`, { method: "POST", body: new URLSearchParams({ query, ...times }) });
  const told = await answer.json();
  if (told.status !== "success") throw new Error(told.error ?? answer.statusText);
  const { resultType, result } = told.data;
  return resultType === "scalar" ? [{ metric: {}, value: result }] : result;
}

function timeSeries(target: Target, series: Series, step: number): DataFrame {
  const points = series.values ?? [series.value!];
  const value: Field = {
    name: "Value",
    type: FieldType.number,
    labels: series.metric,
    config: { displayNameFromDS: legend(target, series.metric) },
    values: points.map(([, text]) => Number(text)),
  };
  // Where two points are further apart than this, Grafana ends the line.
  const time = { ...timeField(points.map(([moment]) => moment * 1000)), config: { interval: step * 1000 } };
  return { refId: target.refId, length: points.length, fields: [time, value] };
}

/** All series of a query as the rows of one table, with a column for each label. */
function table(target: Target, series: Series[], several: boolean): DataFrame {
  const labels = [...new Set(series.flatMap((one) => Object.keys(one.metric)))].sort();
  const rows = series.flatMap((one) => (one.values ?? [one.value!]).map((point) => ({ labels: one.metric, point })));
  const columns = labels.map((name) => ({
    name,
    type: FieldType.string,
    config: { filterable: true },
    values: rows.map((row) => row.labels[name] ?? ""),
  }));
  const value = {
    name: several ? `Value #${target.refId}` : "Value",
    type: FieldType.number,
    config: {},
    values: rows.map((row) => Number(row.point[1])),
  };
  const time = timeField(rows.map((row) => row.point[0] * 1000));
  return { refId: target.refId, length: rows.length, fields: [time, ...columns, value] };
}

function timeField(values: number[]): Field {
  return { name: "Time", type: FieldType.time, config: {}, values };
}

function legend(target: Target, labels: Labels): string | undefined {
  if (!target.legendFormat || target.legendFormat === AUTOMATIC) return undefined;
  return target.legendFormat.replace(LEGEND_LABEL, (_, name: string) => labels[name] ?? "");
}
