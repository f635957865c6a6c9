"""The *Label* panel: classes, the queue, what to check, what was done."""
