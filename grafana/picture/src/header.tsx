import { dateTimeFormat, type TimeRange } from "@grafana/data";
import { Icon, useTheme2 } from "@grafana/ui";

import type { Dashboard, Variable } from "./dashboard.ts";
import { told, type Values } from "./variables.ts";

// As in the JSON of dashboards: 2 hides all of a variable.
const HIDDEN: unknown[] = [2, "hideVariable"];

interface Props {
  dashboard: Dashboard;
  values: Values;
  range: TimeRange;
}

/** The title, the links, what is chosen, and what draws all this. */
export function Header({ dashboard, values, range }: Props) {
  const theme = useTheme2();
  const variables = (dashboard.templating?.list ?? []).filter(({ hide }) => !HIDDEN.includes(hide));
  const secondary = { color: theme.colors.text.secondary };
  return (
    <header style={{ marginBottom: 16 }}>
      <div style={BAR}>
        <h1 style={{ ...theme.typography.h3, margin: 0, marginRight: 8 }}>{dashboard.title}</h1>
        <span style={{ ...secondary, flex: 1 }}>drawn with Grafana's UI components, not by a Grafana server</span>
        {dashboard.links?.map(({ title, url }) => (
          <Chip key={title}>{url ? <a href={url}>{title}</a> : title}</Chip>
        ))}
      </div>
      <div style={BAR}>
        {variables.map((variable: Variable) => (
          <Chip key={variable.name} label={variable.label || variable.name}>
            {told(variable, values)}
          </Chip>
        ))}
        <span style={{ flex: 1 }} />
        <Chip>
          <Icon name="clock-nine" size="sm" /> {written(range)}
        </Chip>
      </div>
    </header>
  );
}

const BAR = { display: "flex", flexWrap: "wrap", alignItems: "center", gap: 8, marginBottom: 8 } as const;

function Chip({ label, children }: { label?: string; children: React.ReactNode }) {
  const theme = useTheme2();
  const edge = `1px solid ${theme.colors.border.weak}`;
  const style = { padding: "5px 8px", border: edge, background: theme.colors.background.primary, whiteSpace: "nowrap" } as const;
  return (
    <span style={{ display: "inline-flex", fontSize: theme.typography.bodySmall.fontSize }}>
      {label && <span style={{ ...style, borderRight: 0, color: theme.colors.text.secondary }}>{label}</span>}
      <span style={style}>{children}</span>
    </span>
  );
}

function written(range: TimeRange): string {
  const [from, to] = [range.from, range.to].map((moment) => dateTimeFormat(moment, { format: "HH:mm:ss" }));
  const { raw } = range;
  return typeof raw.from === "string" ? `${raw.from} to ${raw.to} (${from} to ${to})` : `${from} to ${to}`;
}
