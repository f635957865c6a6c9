"""The cell filter: which crops are usable, and which are junk."""
