"""What other programs are told: Prometheus and Alertmanager."""
