"""What comes over the wire, one file a protocol: bytes -> events, or a located error and nothing else."""
