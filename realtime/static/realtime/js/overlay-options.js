// @ts-check
/**
 * What a streamer asks for in the overlay's address. Nothing wrong in it stops the overlay: the usual is taken, and the fault is named.
 *
 * @typedef {object} Options
 * @property {number} rows
 * @property {string} theme one of THEMES
 * @property {number} delay seconds
 * @property {string} position one of POSITIONS
 * @property {number} scale
 * @property {boolean} title
 * @property {string} player whose row is kept in sight; empty for nobody's
 * @property {string} accent hex colours, of the theme `custom` alone
 * @property {string} ink
 * @property {string} paper
 * @property {boolean} debug
 */

export const THEMES = ["arcade", "minimal", "neon", "light", "custom"];
export const POSITIONS = ["top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom", "bottom-right"];
export const ROWS_MAX = 25;
export const DELAY_MAX_S = 600;
const NAME_LENGTH = 150; // characters, as the server has it

const HEX = /^#?([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})$/i;

/** @type {Options} */
const USUAL = {
  rows: 5,
  theme: "arcade",
  delay: 0,
  position: "top-left",
  scale: 1,
  title: true,
  player: "",
  accent: "#ffc93c",
  ink: "#ffffff",
  paper: "#0b0920e6",
  debug: false,
};

/** What each may be, and how it is read: undefined for what it may not be. @type {Record<keyof Options, [string, (text: string) => unknown]>} */
const READERS = {
  rows: [`a whole number from 1 to ${ROWS_MAX}`, (text) => number(text, /^\d{1,2}$/, 1, ROWS_MAX)],
  theme: [`one of ${THEMES.join(", ")}`, (text) => THEMES.find((name) => name === text)],
  delay: [`whole seconds from 0 to ${DELAY_MAX_S}`, (text) => number(text, /^\d{1,3}$/, 0, DELAY_MAX_S)],
  position: [`one of ${POSITIONS.join(", ")}`, (text) => POSITIONS.find((name) => name === text)],
  scale: ["a number from 0.5 to 4", (text) => number(text, /^\d(\.\d{1,3})?$/, 0.5, 4)],
  title: ["on or off", onOrOff],
  player: ["a player's name", name],
  accent: ["a colour such as ffc93c", colour],
  ink: ["a colour such as ffffff", colour],
  paper: ["a colour such as 0b0920e6, whose last two digits say how solid it is", colour],
  debug: ["on or off", onOrOff],
};

/**
 * @param {string} query with its `?`
 * @returns {{options: Options, faults: string[]}} faults don't repeat what was written
 */
export function readOptions(query) {
  const asked = new URLSearchParams(query);
  const options = { ...USUAL };
  /** @type {string[]} */ const faults = [];
  for (const [name, text] of asked) {
    if (!Object.hasOwn(READERS, name)) {
      faults.push("There is a parameter that the overlay does not know.");
      continue;
    }
    const key = /** @type {keyof Options} */ (name);
    const [kind, read] = READERS[key];
    const value = read(text);
    if (value === undefined) faults.push(`${key} must be ${kind}.`);
    else Object.assign(options, { [key]: value });
  }
  return { options, faults };
}

/** @param {string} text @param {RegExp} shape @param {number} least @param {number} most */
function number(text, shape, least, most) {
  const value = Number(text);
  return shape.test(text) && value >= least && value <= most ? value : undefined;
}

/** @param {string} text */
function name(text) {
  const name = text.trim().normalize("NFC");
  return name && [...name].length <= NAME_LENGTH ? name : undefined;
}

/** @param {string} text */
function onOrOff(text) {
  return { on: true, 1: true, true: true, off: false, 0: false, false: false }[text];
}

/** @param {string} text @returns {string | undefined} `#` and 6 or 8 digits; nothing else gets through */
function colour(text) {
  const digits = HEX.exec(text)?.[1].toLowerCase();
  return digits && `#${digits.length < 6 ? [...digits].map((digit) => digit + digit).join("") : digits}`;
}

/**
 * Whether a colour is light, by its relative luminance: then what is behind it should be dark.
 * @param {string} hex as `readOptions` gives it
 */
export function isLight(hex) {
  const [red, green, blue] = [1, 3, 5].map((place) => (parseInt(hex.slice(place, place + 2), 16) / 255) ** 2.2);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18;
}
