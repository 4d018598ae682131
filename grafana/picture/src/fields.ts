/** Units, colours, names and the rest of a panel's field options, applied to its data by Grafana's own code. */

import {
  applyFieldOverrides,
  booleanOverrideProcessor,
  cacheFieldDisplayNames,
  type DataFrame,
  dataLinksOverrideProcessor,
  displayNameOverrideProcessor,
  FieldColorModeId,
  type FieldConfigPropertyItem,
  FieldConfigOptionsRegistry,
  type FieldConfigSource,
  type GrafanaTheme2,
  identityOverrideProcessor,
  type InterpolateFunction,
  numberOverrideProcessor,
  standardTransformers,
  standardTransformersRegistry,
  stringOverrideProcessor,
  thresholdsOverrideProcessor,
  transformDataFrame,
  unitOverrideProcessor,
  valueMappingsOverrideProcessor,
} from "@grafana/data";
import { firstValueFrom } from "rxjs";

import type { Panel } from "./dashboard.ts";

type Process = FieldConfigPropertyItem["process"];

/** The options that fields of all kinds of panels have. */
const STANDARD: Record<string, unknown> = {
  unit: unitOverrideProcessor,
  min: numberOverrideProcessor,
  max: numberOverrideProcessor,
  fieldMinMax: booleanOverrideProcessor,
  decimals: numberOverrideProcessor,
  displayName: displayNameOverrideProcessor,
  noValue: stringOverrideProcessor,
  thresholds: thresholdsOverrideProcessor,
  mappings: valueMappingsOverrideProcessor,
  links: dataLinksOverrideProcessor,
  color: identityOverrideProcessor,
  filterable: booleanOverrideProcessor,
};

/** What the options of a kind of panel are where the dashboard says nothing. */
const DEFAULTS: Record<string, FieldConfigSource["defaults"]> = {
  timeseries: {
    color: { mode: FieldColorModeId.PaletteClassic },
    custom: { drawStyle: "line", lineInterpolation: "linear", lineWidth: 1, fillOpacity: 0, showPoints: "auto", pointSize: 5 },
  },
};
const BY_THRESHOLDS = { color: { mode: FieldColorModeId.Thresholds } };

// Their table has the one that changes nothing more than once.
const transformations = new Map(Object.values(standardTransformers).map((each) => [each.id as string, each]));

standardTransformersRegistry.setInit(() =>
  [...transformations.values()].map((transformation) => ({
    id: transformation.id,
    name: transformation.name,
    transformation: async () => transformation as never,
    editor: () => null,
    imageDark: "",
    imageLight: "",
  })),
);

/** The data of a panel, transformed and with every option of its fields, as its drawing wants it. */
export async function prepared(panel: Panel, found: DataFrame[], theme: GrafanaTheme2, replace: InterpolateFunction) {
  const context = { interpolate: (text: string) => replace(text) };
  const data = await firstValueFrom(transformDataFrame(panel.transformations ?? [], found, context));
  const applied = applyFieldOverrides({
    data,
    fieldConfig: fieldConfig(panel),
    fieldConfigRegistry: registry(panel),
    replaceVariables: replace,
    theme,
    timeZone: "browser",
  });
  cacheFieldDisplayNames(applied); // tables read the names from there
  return applied;
}

/** A panel's field options with what its kind assumes. */
export function fieldConfig(panel: Panel): FieldConfigSource {
  const assumed = DEFAULTS[panel.type] ?? BY_THRESHOLDS;
  const said = panel.fieldConfig?.defaults ?? {};
  const custom = { ...assumed.custom, ...said.custom };
  return { defaults: { ...assumed, ...said, custom }, overrides: panel.fieldConfig?.overrides ?? [] };
}

/** The standard options, and those of the panel's own kind which its JSON names. */
function registry(panel: Panel): FieldConfigOptionsRegistry {
  const { defaults, overrides } = fieldConfig(panel);
  const overridden = overrides.flatMap((override) => override.properties.map((property) => property.id));
  const own = overridden.filter((id) => id.startsWith("custom.")).map((id) => id.slice("custom.".length));
  const items = Object.entries(STANDARD).map(([name, process]) => item(name, false, process as Process));
  const custom = new Set([...Object.keys(defaults.custom ?? {}), ...own]);
  return new FieldConfigOptionsRegistry(() => [...items, ...[...custom].map((name) => item(name, true, identityOverrideProcessor))]);
}

function item(path: string, isCustom: boolean, process: Process): FieldConfigPropertyItem {
  const unused = () => null;
  const id = isCustom ? `custom.${path}` : path;
  return { id, path, name: path, isCustom, process, shouldApply: () => true, override: unused, editor: unused };
}
