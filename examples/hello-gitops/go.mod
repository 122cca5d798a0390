module example.com/hello-gitops

go 1.26
