"""Who a hit comes from and what they allow."""
