"""The *Latent map*: all cells in a plane of their latents, and classes along each."""
