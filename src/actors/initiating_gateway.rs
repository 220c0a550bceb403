//! The Initiating Gateway with the XDS Affinity Domain Option (ITI TF-1: 18.1.1.1): serves ITI-18 and ITI-43 to local consumers from all communities.
