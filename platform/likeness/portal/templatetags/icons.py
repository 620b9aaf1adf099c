"""Drawn icons: 24 x 24, stroked with the colour of the text around them."""

from __future__ import annotations

PATHS: dict[str, str] = {
    "home": '<path d="M4 11.5 12 5l8 6.5"/><path d="M6.5 10v9h11v-9"/><path d="M10 19v-5h4v5"/>',
    "review": '<path d="M8 4.5h8v3H8z"/><path d="M8 6H5.5v14h13V6H16"/><path d="m9 13.5 2.2 2.2 4-4.4"/>',
    "person": '<circle cx="12" cy="8.5" r="3.7"/><path d="M4.8 20c.6-4 3.4-6.2 7.2-6.2s6.6 2.2 7.2 6.2"/>',
    "licence": '<path d="M6 3.5h8.5L18.5 8v12.5H6zM14 3.5V8.5h4.5M9 12h6M9 15.5h3.5"/>',
    "speech": '<path d="M4 5h16v10.5h-8.5L7 19.5v-4H4z"/><path d="M8 9h8M8 12h5"/>',
    "sound": '<path d="M4.5 9.5v5h3.2l4.3 3.6V5.9L7.7 9.5z"/>'
    '<path d="M15.3 9.3a4 4 0 0 1 0 5.4M17.7 6.8a7.4 7.4 0 0 1 0 10.4"/>',
    "play": '<circle cx="12" cy="12" r="8.3"/><path d="m10.3 8.9 4.9 3.1-4.9 3.1z"/>',
    "table": '<rect x="4" y="5" width="16" height="14" rx="1.5"/><path d="M4 9.7h16M4 14.3h16M10 9.7V19"/>',
    "film": '<rect x="3.5" y="5.5" width="17" height="13" rx="2"/><path d="m10.3 9.3 4.4 2.7-4.4 2.7z"/>',
    "look": '<rect x="3.5" y="5" width="17" height="14" rx="2"/><path d="M6.5 15.5h5"/>'
    '<circle cx="15" cy="10.5" r="2"/><path d="M11.5 19c.3-3 1.6-4.5 3.5-4.5s3.2 1.5 3.5 4.5"/>',
    "grid": '<path d="M4 4.5h6.5V11H4zM13.5 4.5H20V11h-6.5zM4 14h6.5v6H4zM13.5 14H20v6h-6.5z"/>',
    "hook": '<path d="M4 12h11M11.5 8.5 15 12l-3.5 3.5"/><path d="M15 5.5h4.5v13H15"/>',
    "mic": '<rect x="9" y="3.5" width="6" height="10.5" rx="3"/>'
    '<path d="M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v2.8"/>',
    "search": '<circle cx="10.8" cy="10.8" r="6.3"/><path d="m15.5 15.5 5 5"/>',
    "log": '<path d="M5 6h14M5 12h14M5 18h9"/><circle cx="18.5" cy="18" r="1.6"/>',
    "block": '<circle cx="12" cy="12" r="8.3"/><path d="m6.2 6.2 11.6 11.6"/>',
    "check": '<path d="m5.5 12.5 4.3 4.3 8.7-9.3"/>',
    "cross": '<path d="m7 7 10 10M17 7 7 17"/>',
    "clock": '<circle cx="12" cy="12" r="8.3"/><path d="M12 7.3V12l3.2 2"/>',
    "dash": '<path d="M7 12h10"/>',
    "alert": '<path d="M12 4 2.9 19.5h18.2z"/><path d="M12 10v4.2M12 16.9v.2"/>',
    "info": '<circle cx="12" cy="12" r="8.3"/><path d="M12 11v5.2M12 7.8V8"/>',
    "menu": '<path d="M4 7h16M4 12h16M4 17h16"/>',
    "out": '<path d="M13.5 4.5h-8v15h8"/><path d="M10 12h10M16.5 8.5 20 12l-3.5 3.5"/>',
    "globe": '<circle cx="12" cy="12" r="8.3"/>'
    '<path d="M3.7 12h16.6M12 3.7c5 5 5 11.6 0 16.6-5-5-5-11.6 0-16.6"/>',
    "back": '<path d="m14.5 5.5-6.5 6.5 6.5 6.5"/>',
    "next": '<path d="m9.5 5.5 6.5 6.5-6.5 6.5"/>',
    "plus": '<path d="M12 5v14M5 12h14"/>',
    "upload": '<path d="M12 15.5V4.5M7.5 9 12 4.5 16.5 9"/><path d="M4.5 15v4.5h15V15"/>',
    "download": '<path d="M12 4.5v11M7.5 11l4.5 4.5 4.5-4.5"/><path d="M4.5 15v4.5h15V15"/>',
    "seal": '<circle cx="12" cy="9.5" r="5.8"/><path d="m8.2 14-1.7 6.5 5.5-2.7 5.5 2.7-1.7-6.5"/>'
    '<path d="m9.7 9.6 1.6 1.6 3-3.2"/>',
    "shield": '<path d="M12 3.5 5 6v5.5c0 4.3 2.7 7.4 7 9 4.3-1.6 7-4.7 7-9V6z"/>'
    '<path d="m9 12 2.2 2.2 4-4.4"/>',
    "spin": '<path d="M12 3.7a8.3 8.3 0 1 1-8.3 8.3"/>',
    "undo": '<path d="M8.5 5 4.5 9l4 4"/><path d="M4.5 9h9a5.3 5.3 0 0 1 0 10.5H9"/>',
}
"""Inner SVG of each icon, made for this project."""

MARK = (
    '<svg viewBox="0 0 32 32" fill="none" stroke="currentColor" stroke-width="2.4" aria-hidden="true">'
    '<ellipse cx="12.5" cy="16" rx="8.3" ry="11"/><ellipse cx="19.5" cy="16" rx="8.3" ry="11"/>'
    '<path d="M16 6.2c2.9 2.2 4.8 5.8 4.8 9.8s-1.9 7.6-4.8 9.8c-2.9-2.2-4.8-5.8-4.8-9.8s1.9-7.6 4.8-9.8z" '
    'fill="currentColor" stroke="none" opacity=".9"/></svg>'
)
"""The product's sign: two outlines of a face, and what they share."""
