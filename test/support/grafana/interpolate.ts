/**
 * Puts the values of variables into a query as Grafana does before the query leaves the browser.
 *
 * After @grafana/scenes 9.2.2: `VARIABLE_REGEX` and `sceneInterpolator` (variables/interpolation), the formats of its
 * `formatRegistry`, and `CustomAllValue` for "All". Only the formats that the dashboards may use are here; any other
 * throws, for most of them let a value break out of a text of ClickHouse: `singlequote` and `sqlstring` leave
 * backslashes alone.
 */
const VARIABLE =
  /\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)((?:\.[^:^{}[\]]+|\["[^"]*"\]|\['[^']*'\]|\[[^\]"']*\])*)(?::([^}]+))?\}/g;

/** @param values by name; a name that is not among them stays as it is written, as in Grafana */
export function interpolate(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(
    VARIABLE,
    (
      match: string,
      plain?: string,
      bracketed?: string,
      bracketFormat?: string,
      braced?: string,
      _path?: string,
      format?: string,
    ) => {
      const value = values.get(plain ?? bracketed ?? braced ?? '');
      return value === undefined ? match : formatted(value, bracketFormat ?? format);
    },
  );
}

function formatted(value: string, format: string | undefined): string {
  if (format === 'percentencode') return percentEncoded(value);
  throw new Error(`a variable in the format ${format ?? '(none)'} could break out of the query`);
}

/** `encodeURIComponentStrict`: what is left are letters, digits, `-`, `_`, `.`, `~` and `%`. */
function percentEncoded(value: string): string {
  return encodeURIComponent(value.toWellFormed()).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
