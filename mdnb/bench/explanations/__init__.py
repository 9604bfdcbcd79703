"""``mdnb bench explain``: explanations against other explainers, against exact values and against known causes."""



__all__ = ["bench_explain"]
