"""A streaming monitor for product metrics that keeps one alert budget."""
