"""What is known about an address before its visitor says anything: where it is, and which organization it belongs to.

The data lies in the data folder, brought there by `tuttu data fetch`; a running worker takes new data by itself.
Without any, every answer is "unknown". No address is stored or logged here.
"""
