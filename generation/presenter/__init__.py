"""From a script to the driving video of a digital human: plain Python, no Django, no Celery."""
