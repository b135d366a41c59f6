//! What the cluster looks like: Metadata, DescribeCluster, DescribeQuorum and their kin.
