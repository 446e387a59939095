"""Notices to a system of the owner's own, by signed HTTP. The only importer of httpx in this family is `sink`."""
