"""How bank text is read aloud: numerals, and the ordered rules of each language."""
