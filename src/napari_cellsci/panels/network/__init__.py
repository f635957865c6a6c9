"""The *Network*: a head drawn, its streams, its responses, and how it came about."""
