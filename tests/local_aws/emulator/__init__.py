"""MiniStack, with each gap that matters to this project closed by one module. Runs in the emulator's environment only."""
