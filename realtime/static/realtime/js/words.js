// @ts-check
/** Times and seasons in the viewer's locale. */
import { formatNumber } from "./row.js";

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
const two = new Intl.NumberFormat(undefined, { minimumIntegerDigits: 2 });

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** @param {Date | number} time */
export const clockTime = (time) => clock.format(time);
/** @param {Date | number} time */
export const dateAndTime = (time) => moment.format(time);

/** @param {number} time in the past @param {number} now */
export function ago(time, now) {
  const passed = Math.max(0, now - time);
  if (passed < 5 * SECOND_MS) return "just now";
  if (passed < MINUTE_MS) return relative.format(-Math.floor(passed / SECOND_MS / 5) * 5, "second");
  if (passed < HOUR_MS) return relative.format(-Math.floor(passed / MINUTE_MS), "minute");
  return relative.format(-Math.floor(passed / HOUR_MS), "hour");
}

/** "2 d 03:07:09". @param {number} ms */
export function timeLeft(ms) {
  const left = Math.max(0, Math.ceil(ms / SECOND_MS) * SECOND_MS);
  const days = Math.floor(left / DAY_MS);
  const parts = [left % DAY_MS / HOUR_MS, left % HOUR_MS / MINUTE_MS, left % MINUTE_MS / SECOND_MS];
  const time = parts.map((value) => two.format(Math.floor(value))).join(":");
  return days ? `${formatNumber(days)} d ${time}` : time;
}

/** @param {string | null} season as on the wire: a name, or when it began */
export function seasonLabel(season) {
  if (!season) return "All time";
  const began = /^\d{4}-\d{2}-\d{2}/.test(season) ? new Date(season) : null;
  if (began && !Number.isNaN(began.getTime())) return `Season of ${day.format(began)}`;
  const words = season.replaceAll(/[-_]/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
