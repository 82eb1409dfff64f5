"""What picture files consist of, read without decoding a pixel: a file for each format."""
