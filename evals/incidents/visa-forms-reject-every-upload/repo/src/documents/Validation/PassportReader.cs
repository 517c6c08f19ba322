namespace Crossgate.Documents.Validation;

/// <summary>Reads the machine readable zone of a passport.</summary>
public sealed class PassportReader
{
    private const int LineLength = 44;

    public Passport Read(string zone)
    {
        var lines = zone.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (lines.Length < 2 || lines[1].Length < LineLength)
        {
            throw new UnreadablePassportException();
        }

        return new Passport(lines[1][..9], lines[1].Substring(10, 3), Expiry(lines[1]));
    }

    private static DateOnly Expiry(string line)
    {
        return DateOnly.ParseExact(line.Substring(21, 6), "yyMMdd");
    }
}
