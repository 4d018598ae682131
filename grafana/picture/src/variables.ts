/** What stands for `$name`, `${name}` and `${name:format}` in queries and titles. */

import type { Dashboard, Variable } from "./dashboard.ts";

export type Values = Record<string, string | string[]>;

const REFERENCE = /\$(\w+)|\$\{(\w+)(?::(\w+))?\}|\[\[(\w+)(?::(\w+))?\]\]/g;
const ALL = "$__all";

/** The values that the variables have when the dashboard is opened; `chosen` are those of the address. */
export function initialValues(dashboard: Dashboard, chosen: URLSearchParams): Values {
  const named = (dashboard.templating?.list ?? []).map((variable) => {
    const wanted = chosen.getAll(`var-${variable.name}`);
    return [variable.name, wanted.length > 0 ? wanted : initial(variable)] as const;
  });
  return Object.fromEntries(named);
}

/** A variable's value as a person reads it. */
export function told(variable: Variable, values: Values): string {
  if (variable.type === "datasource") return "Prometheus";
  const value = [values[variable.name] ?? ""].flat();
  return value.map((one) => (one === ALL || one === variable.allValue ? "All" : one)).join(" + ");
}

/** The text with each reference replaced; one that nothing is known of stays. */
export function replace(text: string, values: Values, variables: Variable[]): string {
  return text.replace(REFERENCE, (whole: string, ...parts: (string | undefined)[]) => {
    const [plain, braced, format, bracketed, bracketedFormat] = parts;
    const name = plain ?? braced ?? bracketed ?? "";
    const value = values[name];
    return value === undefined ? whole : written(value, variables.find((one) => one.name === name), format ?? bracketedFormat);
  });
}

function initial(variable: Variable): string | string[] {
  const value = variable.current?.value;
  if (value !== undefined && value.length > 0) return value;
  return variable.includeAll ? [ALL] : "";
}

function written(value: string | string[], variable: Variable | undefined, format: string | undefined): string {
  if ([value].flat().includes(ALL)) return variable?.allValue ?? ".*";
  // One that can have several values is meant for a matcher with =~ or !~.
  const regex = (format ?? (variable?.multi || variable?.includeAll ? "regex" : "raw")) === "regex";
  const parts = [value].flat().map((one) => (regex && one !== variable?.allValue ? escaped(one) : one));
  return parts.length === 1 ? parts[0] : regex ? `(${parts.join("|")})` : parts.join(",");
}

/** Escaped twice: for the expression, and for the string of PromQL that it stands in. */
function escaped(text: string): string {
  return text.replace(/\\/g, "\\\\\\\\").replace(/[$^*{}[\]'+?.()|]/g, "\\\\$&");
}
