"""What tests of watched places share."""

from .films import film, mjpeg, rtsp, short_film

__all__ = ["film", "mjpeg", "rtsp", "short_film"]
