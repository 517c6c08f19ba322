module silverreel.io/allocator

go 1.22
