"""Models of many latents in time, on maps, crossed and nested, beside nutpie."""
