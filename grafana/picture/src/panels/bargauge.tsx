import {
  type DisplayValueAlignmentFactors,
  type FieldDisplay,
  getDisplayProcessor,
  getDisplayValueAlignmentFactors,
  VizOrientation,
} from "@grafana/data";
import { BarGaugeDisplayMode } from "@grafana/schema";
import { BarGauge, useTheme2, VizRepeater } from "@grafana/ui";

import type { Drawing } from "./drawing.ts";
import { displayed } from "./values.ts";

export function BarGaugePanel(drawing: Drawing) {
  const { panel, data, range, width, height } = drawing;
  const theme = useTheme2();
  const { options } = panel;
  return (
    <VizRepeater<FieldDisplay, DisplayValueAlignmentFactors>
      getValues={() => displayed(drawing, theme)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, alignmentFactors, orientation, width, height }) => (
        <BarGauge
          value={value.display}
          width={width}
          height={height}
          orientation={orientation}
          field={value.field}
          text={options.text}
          display={value.view?.getFieldDisplayProcessor(value.colIndex!) ?? getDisplayProcessor({ field: { config: value.field }, theme })}
          theme={theme}
          itemSpacing={8}
          displayMode={options.displayMode ?? BarGaugeDisplayMode.Gradient}
          alignmentFactors={alignmentFactors}
          showUnfilled={options.showUnfilled ?? true}
          valueDisplayMode={options.valueMode}
          namePlacement={options.namePlacement}
        />
      )}
      source={data}
      width={width}
      height={height}
      minVizWidth={options.minVizWidth ?? 8}
      minVizHeight={options.minVizHeight ?? 16}
      maxVizHeight={options.maxVizHeight ?? 300}
      itemSpacing={8}
      renderCounter={range.to.valueOf()}
      orientation={options.orientation ?? VizOrientation.Auto}
    />
  );
}
