"""The commands of `tocsin`, one module for each family. Heavy imports stand inside the functions that need them."""
