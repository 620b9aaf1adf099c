"""The evidence as a document that people read: a PDF in English and one in Chinese."""
