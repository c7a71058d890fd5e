"""MiniStack with our patches: each module closes one gap of it. Runs in the environment .venv-emulator only."""
