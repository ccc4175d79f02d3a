// @ts-check
/** What a page is told behind the `#` of its address: the part that a browser sends to nobody, so that no server's log has it. */

/** What a WebSocket may carry as a subprotocol's name, and no ticket is longer than the server looks at. */
const TICKET = /^[\w.-]{1,4096}$/;

/**
 * The ticket in `#ticket=...`, which opens private boards. It stays in the address: a page that is loaded again needs it again.
 * @param {string} [fragment] with its `#`
 * @returns {string | undefined} also undefined for what can't be a ticket
 */
export function ticketOfFragment(fragment = location.hash) {
  const ticket = new URLSearchParams(fragment.slice(1)).get("ticket") ?? "";
  return TICKET.test(ticket) ? ticket : undefined;
}
