"""The same linear model on other servers, each as its documentation shows; run in environments of their own."""
