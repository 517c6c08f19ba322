var builder = WebApplication.CreateBuilder(args);
builder.Services.AddSingleton<PassportReader>();
var app = builder.Build();
app.MapUploads();
app.Run();
