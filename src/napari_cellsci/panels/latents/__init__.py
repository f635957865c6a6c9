"""The *Latents*: what each does to the picture, what it is called, and why."""
