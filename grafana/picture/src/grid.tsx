import type { InterpolateFunction } from "@grafana/data";
import { Icon, useTheme2 } from "@grafana/ui";
import { useState } from "react";

import type { Panel, Section } from "./dashboard.ts";
import { DashboardPanel } from "./panel.tsx";
import type { Asking } from "./prometheus.ts";

// The measures of Grafana's own grid.
const COLUMNS = 24;
const CELL = 30;
const GAP = 8;

interface Props {
  section: Section;
  asking: Asking;
  replace: InterpolateFunction;
  width: number;
}

/** A row with its panels, each where its `gridPos` puts it. A closed row opens when it is clicked. */
export function Row({ section, asking, replace, width }: Props) {
  const [open, setOpen] = useState(!section.row?.collapsed);
  return (
    <section>
      {section.row && (
        <Heading row={section.row} count={section.panels.length} open={open} toggle={() => setOpen(!open)} replace={replace} />
      )}
      {open && <Panels section={section} asking={asking} replace={replace} width={width} />}
    </section>
  );
}

function Panels({ section, asking, replace, width }: Props) {
  const top = Math.min(...section.panels.map(({ gridPos }) => gridPos.y));
  const bottom = Math.max(...section.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  return (
    <div style={{ position: "relative", height: (bottom - top) * (CELL + GAP) }}>
      {section.panels.map((panel) => {
        const place = box(panel, top, width);
        return (
          <div key={panel.id} style={{ position: "absolute", ...place }}>
            <DashboardPanel panel={panel} asking={asking} replace={replace} width={place.width} height={place.height} />
          </div>
        );
      })}
    </div>
  );
}

function box({ gridPos: { x, y, w, h } }: Panel, top: number, width: number) {
  const column = (width + GAP) / COLUMNS;
  return { left: x * column, top: (y - top) * (CELL + GAP), width: w * column - GAP, height: h * (CELL + GAP) - GAP };
}

interface HeadingProps {
  row: Panel;
  count: number;
  open: boolean;
  toggle: () => void;
  replace: InterpolateFunction;
}

function Heading({ row, count, open, toggle, replace }: HeadingProps) {
  const theme = useTheme2();
  const style = {
    ...theme.typography.h5,
    display: "flex",
    alignItems: "center",
    gap: GAP,
    height: CELL,
    width: "100%",
    marginBottom: GAP,
    padding: 0,
    border: 0,
    background: "none",
    color: theme.colors.text.primary,
  };
  return (
    <button type="button" data-row={row.title} aria-expanded={open} onClick={toggle} style={style}>
      <Icon name={open ? "angle-down" : "angle-right"} />
      {replace(row.title ?? "")}
      {!open && <span style={{ color: theme.colors.text.secondary, fontWeight: 400 }}>({count} panels)</span>}
    </button>
  );
}
