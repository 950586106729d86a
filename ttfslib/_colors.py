"""Colors by role, for what Python draws and for what a page draws."""

INK = "#22303c"

ROLES: dict[str, str] = {
    "potential": INK,
    "threshold": "#5b6670",
    "excitatory": "#d55e00",
    "inhibitory": "#0072b2",
    "spike": "#a8327d",
    "muted": "#a0a9b1",
    "accent": "#009e73",
}
