import { rangeUtil, type ScopedVars } from "@grafana/data";
import { useCallback, useEffect, useMemo, useState } from "react";

import { type Dashboard, sections } from "./dashboard.ts";
import { Row } from "./grid.tsx";
import { Header } from "./header.tsx";
import type { Asking } from "./prometheus.ts";
import { initialValues, replace as replaced, type Values } from "./variables.ts";

const MARGIN = 16;

/** What the server of this page says besides the dashboard. */
export interface Settings {
  /** Seconds between two scrapes. */
  scrapeInterval: number;
  /** Seconds between two looks at Prometheus. */
  refresh: number;
}

interface Props {
  dashboard: Dashboard;
  settings: Settings;
  address: URLSearchParams;
}

export function Page({ dashboard, settings, address }: Props) {
  const width = useWidth() - 2 * MARGIN;
  const moment = useClock(settings.refresh);
  const rows = useMemo(() => sections(dashboard), [dashboard]);
  const values = useMemo(() => initialValues(dashboard, address), [dashboard, address]);
  const replace = useReplace(dashboard, values);
  const asking = useMemo<Asking>(() => {
    const raw = { from: address.get("from") ?? dashboard.time?.from ?? "now-6h", to: address.get("to") ?? dashboard.time?.to ?? "now" };
    const variables = dashboard.templating?.list ?? [];
    return { range: rangeUtil.convertRawToRange(raw), scrapeInterval: settings.scrapeInterval, values, variables };
    // A new moment is a new range, as "now" is another.
  }, [dashboard, settings, address, values, moment]);
  return (
    <main style={{ padding: MARGIN }}>
      <Header dashboard={dashboard} values={values} range={asking.range} />
      {rows.map((section) => (
        <Row key={section.row?.id ?? "top"} section={section} asking={asking} replace={replace} width={width} />
      ))}
    </main>
  );
}

/** Replaces references to variables, and to what Grafana's own code wants to be replaced. */
function useReplace(dashboard: Dashboard, values: Values) {
  return useCallback(
    (text: string, scoped?: ScopedVars) => {
      const more = Object.entries(scoped ?? {}).map(([name, value]) => [name, String(value?.value)]);
      return replaced(text, { ...values, ...Object.fromEntries(more) }, dashboard.templating?.list ?? []);
    },
    [dashboard, values],
  );
}

function useClock(seconds: number): number {
  const [moment, setMoment] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setMoment((before) => before + 1), seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds]);
  return moment;
}

function useWidth(): number {
  const [width, setWidth] = useState(document.documentElement.clientWidth);
  useEffect(() => {
    const measure = () => setWidth(document.documentElement.clientWidth);
    window.addEventListener("resize", measure);
    return () => window.removeEventListener("resize", measure);
  }, []);
  return width;
}
