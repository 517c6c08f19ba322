"""``python -m tariffs``: serve until told to stop."""

from tariffs.app import serve

if __name__ == "__main__":
    serve()
