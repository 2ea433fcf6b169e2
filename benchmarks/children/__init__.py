"""What a benchmark runs in a process of its own: ours, and peers with their own libraries."""
