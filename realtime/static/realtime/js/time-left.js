// @ts-check
/** How long it is until something, in the viewer's language: in two units, where there is no room for a clock. */

/** @type {[Intl.NumberFormatOptions["unit"], number][]} */
const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];
const formats = new Map(UNITS.map(([unit]) => [unit, new Intl.NumberFormat(undefined, { style: "unit", unit, unitDisplay: "narrow" })]));

/** @param {number} ms */
export function timeLeft(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const large = UNITS.findIndex(([, size]) => seconds >= size);
  const first = large < 0 || large > UNITS.length - 2 ? UNITS.length - 2 : large; // a minute at least, so that its width stays
  return [first, first + 1].map((index) => formatted(index, seconds)).join(" ");
}

/** @param {number} index of the unit @param {number} seconds */
function formatted(index, seconds) {
  const [unit, size] = UNITS[index];
  const whole = Math.floor(seconds / size);
  const [, larger] = UNITS[index - 1] ?? [unit, Infinity];
  return formats.get(unit)?.format(index ? whole % (larger / size) : whole) ?? "";
}
