"""A made-up city to show the product with, and to try it on: nobody lives here."""
