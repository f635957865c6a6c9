"""The *Cells table*: every cell as a line; sorted, filtered, copied, exported."""
