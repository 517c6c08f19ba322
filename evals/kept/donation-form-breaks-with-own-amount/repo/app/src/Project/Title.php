<?php

namespace Giving\Project;

final class Title
{
    public static function short(string $title): string
    {
        return mb_strimwidth($title, 0, 60, '…');
    }
}
