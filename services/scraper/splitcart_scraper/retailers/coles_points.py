"""Where Coles's store finder is asked: an answer lists about the 50 outlets nearest to a point (retailers.md §2).

Latitude and longitude in degrees. Chosen greedily so that every postcode and every supermarket of any company is
nearer to one of them than its 25th nearest Coles, and than its 50th nearest outlet of all Coles's brands: a new
store anywhere is listed, even where half of an answer were liquor shops. The public crawl of a half-degree grid
takes some 20 times as many requests.
"""

from typing import Final

POINTS: Final[tuple[tuple[float, float], ...]] = (
    (-14.7, 143.4), (-18.2, 127.7), (-20.1, 146.3), (-25.7, 148.7), (-26.2, 151.9), (-26.2, 143.3),
    (-27.2, 153.4), (-27.3, 152.5), (-27.4, 153.0), (-27.5, 153.2), (-27.5, 153.0), (-27.8, 153.4),
    (-27.8, 153.0), (-28.0, 152.5), (-28.4, 145.6), (-29.0, 153.2), (-31.1, 115.4), (-31.5, 152.9),
    (-31.9, 116.0), (-32.0, 115.5), (-32.1, 115.7), (-32.4, 150.7), (-32.8, 118.7), (-32.9, 147.6),
    (-33.1, 151.6), (-33.1, 136.3), (-33.5, 151.4), (-33.5, 150.9), (-33.8, 151.3), (-33.8, 151.1),
    (-33.8, 150.7), (-33.9, 151.1), (-34.0, 151.2), (-34.0, 151.0), (-34.3, 150.6), (-34.3, 115.1),
    (-35.1, 142.3), (-35.1, 138.9), (-35.8, 137.5), (-37.0, 149.9), (-37.0, 147.1), (-37.2, 144.7),
    (-37.3, 147.7), (-37.4, 140.3), (-37.7, 145.5), (-37.7, 145.0), (-37.8, 145.1), (-37.8, 144.9),
    (-37.8, 144.7), (-37.9, 144.6), (-38.0, 145.1), (-38.0, 145.0), (-38.1, 143.9), (-38.2, 145.4),
    (-38.3, 144.7), (-42.2, 145.3),
)  # fmt: skip
