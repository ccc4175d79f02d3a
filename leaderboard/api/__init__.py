"""HTTP: parse, call one service, render. In: requests under /api/. Out: JSON, or an RFC 9457 problem document."""
