module paketeer.example/tracking

go 1.23
