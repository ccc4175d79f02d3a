// @ts-check
/** Where things stand on a chart: round ticks, and labels that do not cover each other. Pure. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const TIME_STEPS = [10 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR];

/**
 * Round scores from one at or below `low` to one at or above `high`, about `count` steps. Scores are whole, so steps are.
 * @param {number} low
 * @param {number} high
 * @param {number} count
 */
export function scoreTicks(low, high, count) {
  if (low === high) [low, high] = [low >= 0 ? Math.max(0, low - 1) : low - 1, high + 1];
  const rough = Math.max(1, (high - low) / Math.max(1, count));
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, (([1, 2, 5].find((times) => times * power >= rough) ?? 10) * power));
  const first = Math.floor(low / step);
  const last = Math.ceil(high / step);
  return Array.from({ length: last - first + 1 }, (_, place) => (first + place) * step);
}

/**
 * The scores at the edges: near the least and the greatest, but in quarters of a step, so that not every score moves all lines.
 * @param {number} low
 * @param {number} high
 * @param {readonly number[]} ticks of these
 */
export function edges(low, high, ticks) {
  const [first, last] = [ticks[0], ticks[ticks.length - 1]];
  const quarter = (ticks[1] - first) / 4;
  if (low === high) return [first, last];
  return [first + Math.floor((low - first) / quarter) * quarter, last - Math.floor((last - high) / quarter) * quarter];
}

/**
 * Round moments of the viewer's clock between two, at most `count` of them, and the step between them.
 * @param {number} start
 * @param {number} end
 * @param {number} count
 */
export function timeTicks(start, end, count) {
  const step = TIME_STEPS.find((each) => (end - start) / each <= Math.max(1, count)) ?? TIME_STEPS[TIME_STEPS.length - 1];
  const offset = -new Date(end).getTimezoneOffset() * MINUTE;
  /** @type {number[]} */ const ticks = [];
  for (let at = Math.ceil((start + offset) / step) * step - offset; at <= end; at += step) ticks.push(at);
  return { ticks, step };
}

/**
 * Centres as near to the wanted ones as `size` between them allows, all within `height`. In the wanted ones' order, which ascends.
 * @param {readonly number[]} wanted
 * @param {number} size
 * @param {number} height no less than wanted.length * size
 */
export function spread(wanted, size, height) {
  // With the distances taken out of them the centres must only not descend: those that do share their mean.
  /** @type {{sum: number, count: number}[]} */ const groups = [];
  wanted.forEach((centre, place) => {
    let group = { sum: centre - place * size, count: 1 };
    for (let before = groups[groups.length - 1]; before && before.sum / before.count >= group.sum / group.count; before = groups[groups.length - 1]) {
      group = { sum: group.sum + before.sum, count: group.count + before.count };
      groups.pop();
    }
    groups.push(group);
  });
  const least = size / 2;
  const most = height - size / 2 - (wanted.length - 1) * size;
  return groups
    .flatMap(({ sum, count }) => new Array(count).fill(Math.min(most, Math.max(least, sum / count))))
    .map((centre, place) => centre + place * size);
}
